import { join } from 'node:path';
import type { FirstAdministrator } from '../auth/first-start.service.js';
import type { Settings } from '../config/settings.js';

/** The message to the operator after the start. */
export function startBanner(settings: Settings, listeningAt: string): string {
  const { publicUrl, dataDir, database, smtpUrl } = settings;
  const lines = [
    ['Address', publicUrl],
    ['Listening', listeningAt],
    ['Swagger UI', `${publicUrl}/docs`],
    ['Database', database.kind === 'sqlite' ? database.path : 'MySQL / MariaDB'],
    ['Data', dataDir],
    ['Mails', smtpUrl === undefined ? `${join(dataDir, 'outbox')} (SMTP_URL is not set)` : 'by SMTP'],
  ];
  return `\nPluto is ready.\n\n${table(lines)}\n\n`;
}

/** How to sign in for the first time; a generated password is shown only here. */
export function administratorNotice({ mail, generatedPassword }: FirstAdministrator): string {
  const password =
    generatedPassword === null
      ? 'as set by ADMIN_PASSWORD'
      : `${generatedPassword}  (save it; it will not be shown again)`;
  const lines = [
    ['Administrator', mail],
    ['Password', password],
  ];
  return `\nAdministrator account created.\n\n${table(lines)}\n`;
}

function table(lines: string[][]): string {
  return lines.map(([label = '', value = '']) => `  ${label.padEnd(14)}${value}`).join('\n');
}
