import { join } from 'node:path';
import type { FirstAdministrator } from './auth/first-start.service.js';
import type { Settings } from './config/settings.js';

/** What an operator wants to know once Pluto has started; the generated password is told here and never again. */
export function startBanner(
  settings: Settings,
  listeningAt: string,
  administrator: FirstAdministrator | null,
): string {
  const { publicUrl, dataDir, database, smtpUrl } = settings;
  const lines = [
    ['Address', publicUrl],
    ['Listening', listeningAt],
    ['Swagger UI', `${publicUrl}/docs`],
    ['Database', database.kind === 'sqlite' ? database.path : 'MySQL / MariaDB'],
    ['Data', dataDir],
    ['Mails', smtpUrl === undefined ? `${join(dataDir, 'outbox')} (no SMTP_URL is set)` : 'by SMTP'],
    ...administratorLines(administrator),
  ];
  const table = lines.map(([label = '', value = '']) => `  ${label.padEnd(14)}${value}`).join('\n');
  return `\nPluto is ready.\n\n${table}\n\n`;
}

function administratorLines(administrator: FirstAdministrator | null): string[][] {
  if (!administrator) return [];
  const { mail, generatedPassword } = administrator;
  return [
    ['Administrator', mail],
    [
      'Password',
      generatedPassword === null
        ? 'as set by ADMIN_PASSWORD'
        : `${generatedPassword}  (shown this once; keep it)`,
    ],
  ];
}
