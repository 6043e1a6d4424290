import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLog } from './common/logging.js';
import { packageDirectory } from './common/package-directory.js';
import { Settings } from './config/settings.js';
import { createApp } from './server/configure-app.js';
import { buildApiDocument } from './server/openapi-document.js';

/** Builds the document as the server does, with a temporary database and default settings. */
async function makeDocument(): Promise<string> {
  const dataDir = mkdtempSync(join(tmpdir(), 'pluto-openapi-'));
  try {
    const app = await createApp(Settings.load({ DATA_DIR: dataDir }), createLog('silent', 'json'));
    const document = JSON.stringify(buildApiDocument(app), null, 2);
    await app.close();
    return `${document}\n`;
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

const folder = join(packageDirectory, 'docs');
const document = await makeDocument();
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'openapi.json'), document);
