import { join } from 'node:path';
import type { FirstAdministrator } from '../auth/first-start.service.js';
import type { Settings } from '../config/settings.js';

/** What an operator wants to know once Pluto has started. */
export function startBanner(settings: Settings, listeningAt: string): string {
  const { publicUrl, dataDir, database, smtpUrl } = settings;
  const lines = [
    ['Address', publicUrl],
    ['Listening', listeningAt],
    ['Swagger UI', `${publicUrl}/docs`],
    ['Database', database.kind === 'sqlite' ? database.path : 'MySQL / MariaDB'],
    ['Data', dataDir],
    ['Mails', smtpUrl === undefined ? `${join(dataDir, 'outbox')} (no SMTP_URL is set)` : 'by SMTP'],
  ];
  return `\nPluto is ready.\n\n${table(lines)}\n\n`;
}

/** How to sign in for the first time; a generated password is told here and never again. */
export function administratorNotice({ mail, generatedPassword }: FirstAdministrator): string {
  const password =
    generatedPassword === null
      ? 'as set by ADMIN_PASSWORD'
      : `${generatedPassword}  (shown this once; keep it)`;
  const lines = [
    ['Administrator', mail],
    ['Password', password],
  ];
  return `\nThe first administrator is made.\n\n${table(lines)}\n`;
}

function table(lines: string[][]): string {
  return lines.map(([label = '', value = '']) => `  ${label.padEnd(14)}${value}`).join('\n');
}
