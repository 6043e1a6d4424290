import { InvalidSettings } from './invalid-settings.js';
import { type SettingValues } from './setting-table.js';
import { SettingsReader } from './settings-reader.js';

export { InvalidSettings } from './invalid-settings.js';
export { type DatabaseSettings, type MailAddress } from './setting-kinds.js';
export { variableGroups } from './setting-table.js';

/**
 * Gives the class below the properties of the table; TypeScript has no other way to declare them from a type.
 */
const TableValues = class {
  constructor(values: SettingValues) {
    Object.assign(this, values);
  }
} as new (values: SettingValues) => SettingValues;

/** Everything that can be set, validated; the class is the injection token. Properties: `settingTable`. */
export class Settings extends TableValues {
  private constructor(values: SettingValues) {
    super(values);
  }

  /** The path of PUBLIC_URL without a slash at its end; `''` for none. */
  get publicPath(): string {
    return new URL(this.publicUrl).pathname.replace(/\/$/, '');
  }

  /**
   * Reads and checks every variable.
   * @param env environment variables; an empty one counts as unset, `NAME_FILE` names a file with the value
   * @throws InvalidSettings with all faults and contradictions
   */
  static load(env: NodeJS.ProcessEnv): Settings {
    const reader = new SettingsReader(env);
    const values = reader.read();
    const faults = reader.allFaults(values);
    if (faults.length > 0) throw new InvalidSettings(faults);
    return new Settings(values);
  }
}
