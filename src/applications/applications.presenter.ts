import type { LocalizedName } from './application-names.service.js';
import type { Application } from './application.entity.js';
import type { ApplicationDto, ApplicationNamesDto } from './applications.dto.js';

export function presentApplication({ id, name, defaultRoleId }: Application): ApplicationDto {
  return { id, name, default_role: defaultRoleId };
}

export function presentNames(application: Application, names: LocalizedName[]): ApplicationNamesDto {
  return {
    app_id: application.id,
    app_name: application.name,
    i18n_names: names.map(({ tag, name }) => ({ tag, i18n_name: name })),
  };
}
