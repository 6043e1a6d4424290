import type { RoleDto, RoleWithScopesDto, ScopeDto } from './rbac.dto.js';
import type { Role } from './role.entity.js';
import type { RoleWithScopes } from './roles.service.js';
import type { Scope } from './scope.entity.js';

/** A role or scope that was just created. */
export function presentCreated({ id, applicationId, name }: Role | Scope): RoleDto {
  return { id, app_id: applicationId, name };
}

export function presentScope({ id, name }: Pick<Scope, 'id' | 'name'>): ScopeDto {
  return { id, name };
}

export function presentRole({ role, scopes }: RoleWithScopes): RoleWithScopesDto {
  return {
    id: role.id,
    name: role.name,
    default_scope: role.defaultScopeId,
    scopes: scopes.map(presentScope),
  };
}
