import type { RequestPlan } from './request-plans.js';
import type { Scene } from './scene.js';
import type { World } from './world.js';

const MALFORMED = [
  'Bearer',
  'Bearer ',
  'Bearer a b',
  'Basic',
  'Basic %%%',
  'Basic YQ==',
  'jwt',
  'x',
  '',
  'Bearer ' + 'x'.repeat(6000),
];

/** Who the request says it is from; undefined: it does not say. */
export function authorizationOf(
  { authorization: kind, at, operation }: RequestPlan,
  scene: Scene,
  { strangers, clientToken, admin }: World,
  scheme: string | undefined,
): string | undefined {
  const right = scene.authorization;
  // Whoever deletes an account is one that nothing else needs.
  const isDeletion = operation.route === 'POST /v1/user/delete';
  if (isDeletion && ['elsewhere', 'user', 'admin'].includes(kind)) return right;
  switch (kind) {
    case 'right':
      return right;
    case 'none':
      return undefined;
    case 'malformed':
      return MALFORMED[Math.floor(at * MALFORMED.length)];
    case 'tampered':
      return right && `${right.slice(0, -4)}AAAA`;
    case 'junk':
    case 'expired':
    case 'elsewhere':
    case 'user':
      return `${scheme ? 'bearer' : 'jwt'} ${strangers[kind] ?? ''}`;
    case 'admin':
      return `Bearer ${admin.token}`;
    case 'client':
      return `Bearer ${clientToken}`;
  }
}
