import { addressOf, pairsOf } from './address.js';
import { authorizationOf } from './authorization.js';
import type { Choice, RequestPlan } from './request-plans.js';
import type { Scene } from './scene.js';
import { sceneOf } from './scenes.js';
import type { World } from './world.js';

/** A request as it goes over the wire. */
export interface FuzzRequest {
  method: string;
  /** With the query. */
  path: string;
  headers: Record<string, string>;
  body: Buffer | null;
  scene: Scene;
}

const JSON_TYPE = 'application/json';
const FORM_TYPE = 'application/x-www-form-urlencoded';

/** Turns a plan into a request, with what there is at this moment. */
export async function requestOf(plan: RequestPlan, world: World): Promise<FuzzRequest> {
  const { operation } = plan;
  const [scheme] = Object.keys(operation.operation.security?.[0] ?? {});
  const scene = await sceneOf(operation.route, scheme, world, plan.at);
  const chosen: [string, string, unknown][] = [];
  for (const [key, choice] of Object.entries(plan.fields)) {
    const [place = '', name = ''] = key.split(' ');
    const value = await valueOf(choice, name, scene, () =>
      sceneOf(operation.route, scheme, world, otherOf(choice)),
    );
    if (value !== undefined) chosen.push([place, name, value]);
  }
  const at = (place: string) =>
    chosen.filter(([where]) => where === place).map(([, name, value]) => [name, value] as const);
  const body = bodyOf(plan, scene, Object.fromEntries(at('body')), world);
  const contentType = plan.contentType === 'right' ? rightType(plan) : plan.contentType;
  return {
    method: plan.method ?? operation.method,
    path: addressOf(operation.path, at('path'), at('query')),
    headers: {
      ...(body !== null && contentType !== null && { 'content-type': contentType }),
      ...headersOf(plan, scene, world, scheme),
    },
    body: body === null ? null : asBytes(body, contentType),
    scene,
  };
}

async function valueOf(
  choice: Choice,
  name: string,
  scene: Scene,
  otherScene: () => Scene | Promise<Scene>,
): Promise<unknown> {
  switch (choice.from) {
    case 'scene':
      return scene.fields[name];
    case 'sceneTwice':
      return [scene.fields[name] ?? '', scene.fields[name] ?? ''];
    case 'otherScene':
      return (await otherScene()).fields[name];
    case 'plan':
    case 'planRaw':
      return choice.value;
  }
}

function otherOf(choice: Choice): number {
  return choice.from === 'otherScene' ? choice.at : 0;
}

function rightType({ operation: { bodyTypes, path }, at }: RequestPlan): string {
  return (
    bodyTypes[Math.floor(at * 97) % bodyTypes.length] ?? (path.startsWith('/web/') ? FORM_TYPE : JSON_TYPE)
  );
}

function bodyOf(
  { operation, body, extra }: RequestPlan,
  scene: Scene,
  fields: Record<string, unknown>,
  world: World,
): unknown {
  if (body === 'none') {
    // The form of a page that asks for nothing but its button.
    return operation.method === 'POST' && scene.hidden ? { ...scene.hidden } : null;
  }
  if (Buffer.isBuffer(body)) return body;
  if (body !== 'fields') return body.value;
  if (operation.route === 'PUT /v1/rbac/application/settings' && Number.isInteger(fields.app_id))
    fields.app_id = world.configurable[0]!.id;
  return { ...scene.hidden, ...fields, ...extra };
}

function asBytes(body: unknown, contentType: string | null): Buffer {
  if (Buffer.isBuffer(body)) return body;
  const isForm = contentType?.toLowerCase().startsWith(FORM_TYPE) ?? false;
  if (!isForm || typeof body !== 'object' || body === null) return Buffer.from(JSON.stringify(body));
  return Buffer.from(pairsOf(Object.entries(body)));
}

function headersOf(
  plan: RequestPlan,
  scene: Scene,
  world: World,
  scheme: string | undefined,
): Record<string, string> {
  const accept = plan.accept === 'right' ? scene.accept : plan.accept;
  const authorization = authorizationOf(plan, scene, world, scheme);
  return {
    ...(typeof accept === 'string' && { accept }),
    ...(authorization !== undefined && { authorization }),
    ...(plan.hasCookies && scene.cookie && { cookie: scene.cookie }),
  };
}
