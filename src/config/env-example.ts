import { variableGroups } from './setting-table.js';

const heading = `# Settings of Pluto. Copy to .env and uncomment what you want to change; environment variables override .env.
# Every value can come from a file: NAME_FILE=/run/secrets/x for any NAME. An empty value counts as unset.
`;

/**
 * Renders `.env.example`: every variable with its meaning, what it must be and its default, commented out.
 *
 * To write the file again after a build:
 * `node -e "import('./dist/src/config/env-example.js').then((m) => fs.writeFileSync('.env.example',
 * m.renderEnvExample()))"`
 */
export function renderEnvExample(): string {
  const defaults = new Map<string, string>();
  const groups = Object.entries(variableGroups).map(([title, variables]) => {
    const entries = Object.values(variables).map((variable) => {
      const { name, kind, meaning } = variable;
      const text = variable.defaultText((other) => defaults.get(other) ?? '') ?? '';
      defaults.set(name, text);
      return `# ${meaning}\n# Must be ${kind.mustBe}.\n#${name}=${text}\n`;
    });
    return `\n## ${title}\n\n${entries.join('\n')}`;
  });
  return heading + groups.join('');
}
