import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { CsrfService } from './csrf.js';

/** Lets through only forms that were shown to the browser which posts them. */
@Injectable()
export class CsrfGuard implements CanActivate {
  constructor(private readonly csrf: CsrfService) {}

  canActivate(context: ExecutionContext): boolean {
    this.csrf.assertFrom(context.switchToHttp().getRequest<FastifyRequest>());
    return true;
  }
}
