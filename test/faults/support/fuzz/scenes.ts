import { oauthScenes } from './oauth-scenes.js';
import { pageScenes } from './page-scenes.js';
import { providerScenes } from './provider-scenes.js';
import { rbacScenes } from './rbac-scenes.js';
import { again, asAdministrator, asUser, pick, type Scene, type SceneMaker } from './scene.js';
import { userScenes } from './user-scenes.js';
import type { World } from './world.js';

const scenes: Record<string, SceneMaker> = {
  ...userScenes,
  ...providerScenes,
  ...rbacScenes,
  ...oauthScenes,
  ...pageScenes,
};

/** A good request to the route, as far as there is what it needs. */
export function sceneOf(
  route: string,
  scheme: string | undefined,
  world: World,
  at: number,
): Scene | Promise<Scene> {
  const scene = scenes[route];
  if (scene) return scene(world, at);
  const application = pick(world.applications, at);
  const [name, role_id] = pick(Object.entries(application.roles), again(at));
  const scopeIds = Object.values(application.scopes);
  const fields = {
    app_id: application.id,
    role_id,
    // Those that every role was made with stay, so that there is one to be the default.
    scopes: scopeIds.slice(0, 4),
    scope_id: application.scopes[name === 'member' ? 'read' : 'edit'] ?? scopeIds[0],
  };
  const user = asUser(world, at, fields);
  const isEnough = scheme === 'AccessToken' || (scheme === 'UserAuth' && user.account?.app_id === 'pluto');
  return isEnough || !scheme ? user : asAdministrator(world, fields);
}
