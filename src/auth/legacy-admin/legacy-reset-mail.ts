import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';
import { PLUTO } from '../../applications/pluto-names.js';
import { routePathOf } from '../../common/http/requests.js';

const RESET_MAIL = '/v1/user/password/reset/mail';

/** The old admin app asks for the reset mail of its own user, of `pluto`, without naming the application. */
@Injectable()
export class LegacyResetMail {
  constructor({ httpAdapter }: HttpAdapterHost) {
    // Commands open the application without a server.
    if (httpAdapter) addApplication(httpAdapter.getInstance<FastifyInstance>());
  }
}

function addApplication(fastify: FastifyInstance): void {
  fastify.addHook('preValidation', (request, _reply, done) => {
    const { body } = request;
    if (routePathOf(request) === RESET_MAIL && typeof body === 'object' && body !== null)
      request.body = { app_id: PLUTO.application, ...body };
    done();
  });
}
