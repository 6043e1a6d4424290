import { Controller, Get, Header } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { JWK } from 'jose';
import { Public } from '../common/access.js';
import { NoEnvelope } from '../common/http/envelope.js';
import { SigningKeysService } from './signing-keys.service.js';

/** The keys where standard JWT libraries look for them, including the next key before it signs. */
@ApiExcludeController()
@Public()
@Controller('.well-known')
export class KeySetController {
  constructor(private readonly keys: SigningKeysService) {}

  @NoEnvelope()
  @Get('jwks.json')
  @Header('cache-control', 'public, max-age=300')
  getKeySet(): Promise<{ keys: JWK[] }> {
    return this.keys.publicKeySet();
  }
}
