import { applyDecorators, Controller, Get, Header } from '@nestjs/common';
import { ApiExtraModels, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { JWK } from 'jose';
import { Public } from '../common/access.js';
import { NoEnvelope } from '../common/http/envelope.js';
import { ErrorAnswer, EVERYWHERE, failureResponses } from '../common/failure-responses.js';
import { SigningKeysService } from './signing-keys.service.js';
import { KeySetDto } from './token.dto.js';

/** The keys where standard JWT libraries look for them, including the next key before it signs. */
@ApiTags('Token Management')
@Public()
@Controller('.well-known')
export class KeySetController {
  constructor(private readonly keys: SigningKeysService) {}

  @NoEnvelope()
  @Get('jwks.json')
  @Header('cache-control', 'public, max-age=300')
  @ApiOperation({
    summary: 'Get the key set',
    description:
      'All keys that verify access tokens or will sign them, as JWK Set (RFC 7517), without envelope',
  })
  @ApiExtraModels(ErrorAnswer)
  @ApiResponse({ status: 200, description: 'Success', type: KeySetDto })
  @FailsAsEveryRoute()
  getKeySet(): Promise<{ keys: JWK[] }> {
    return this.keys.publicKeySet();
  }
}

function FailsAsEveryRoute(): MethodDecorator {
  return applyDecorators(
    ...failureResponses(EVERYWHERE, { isForBrowsers: false }).map((response) => ApiResponse(response)),
  );
}
