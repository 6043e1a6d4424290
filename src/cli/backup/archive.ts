import { createHash } from 'node:crypto';
import { createReadStream, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { create, extract, list, type ReadEntry } from 'tar';
import { isAvatarFile } from '../../users/avatars.service.js';

/** What an archive holds besides the manifest; the pictures are next to it in `avatars/`. */
export const DATABASE_FILE = 'pluto.db';
export const SECRET_KEY_FILE = 'secret.key';
export const AVATARS_FOLDER = 'avatars';
const MANIFEST = 'manifest.json';
const FORMAT = 'pluto-backup-1';

export interface Manifest {
  format: typeof FORMAT;
  /** The version of Pluto that made it. */
  version: string;
  /** Unix seconds. */
  createdAt: number;
  /** SHA-256 in hex of every other file by its path. */
  files: Record<string, string>;
}

/** The archive cannot be used; the message says why. */
export class UnfitArchive extends Error {
  override name = 'UnfitArchive';
}

/** Packs these files of a folder, and a manifest of them, as a compressed tar file. */
export async function pack(
  folder: string,
  files: string[],
  { file, version, createdAt }: Pick<Manifest, 'version' | 'createdAt'> & { file: string },
): Promise<void> {
  const manifest: Manifest = { format: FORMAT, version, createdAt, files: await sumsOf(folder, files) };
  writeFileSync(join(folder, MANIFEST), `${JSON.stringify(manifest, null, 1)}\n`);
  await create({ file, cwd: folder, gzip: true, portable: true, strict: true }, [MANIFEST, ...files]);
}

/**
 * Reads a whole archive and compares every file with the manifest. Nothing but plain files of the names that
 * `pack` gives is accepted.
 * @throws UnfitArchive
 */
export async function verify(file: string): Promise<Manifest> {
  const found = await readAll(file);
  const text = found.manifest;
  if (text === null) throw new UnfitArchive('it is no backup of Pluto');
  const manifest = parseManifest(text);
  if ([...found.sums.keys()].sort().join('\n') !== Object.keys(manifest.files).sort().join('\n'))
    throw new UnfitArchive('its files are not those of its manifest');
  for (const [name, sum] of found.sums)
    if (manifest.files[name] !== sum) throw new UnfitArchive(`${name} in it is damaged`);
  return manifest;
}

/** Unpacks an archive, as `verify` accepts it, into an empty folder. @throws UnfitArchive */
export async function unpack(file: string, folder: string): Promise<Manifest> {
  const manifest = await verify(file);
  const filter = (path: string) => Object.hasOwn(manifest.files, path);
  await extract({ file, cwd: folder, strict: true, preserveOwner: false, filter }).catch(refuse);
  return manifest;
}

async function readAll(file: string): Promise<{ manifest: string | null; sums: Map<string, string> }> {
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true)
    throw new UnfitArchive('there is no such file');
  const sums = new Map<string, string>();
  const faults: string[] = [];
  let manifest: string | null = null;
  const onReadEntry = (entry: ReadEntry) => {
    const { path, type } = entry;
    // Other programs add it when they pack the files again.
    if (type === 'Directory' && path === `${AVATARS_FOLDER}/`) return void entry.resume();
    if (type !== 'File' || !isName(path)) faults.push('it holds files that no backup has');
    else if (sums.has(path) || (path === MANIFEST && manifest !== null)) faults.push('it holds a file twice');
    const sum = createHash('sha256');
    const parts: Buffer[] = [];
    entry.on('data', (part: Buffer) => (path === MANIFEST ? parts.push(part) : sum.update(part)));
    entry.on('end', () => {
      if (path === MANIFEST) manifest = Buffer.concat(parts).toString('utf8');
      else sums.set(path, sum.digest('hex'));
    });
  };
  await list({ file, strict: true, onReadEntry }).catch(refuse);
  if (manifest !== null && faults[0] !== undefined) throw new UnfitArchive(faults[0]);
  return { manifest, sums };
}

function isName(path: string): boolean {
  if ([MANIFEST, DATABASE_FILE, SECRET_KEY_FILE].includes(path)) return true;
  const [folder, name = '', ...more] = path.split('/');
  return folder === AVATARS_FOLDER && isAvatarFile(name) && more.length === 0;
}

function parseManifest(text: string): Manifest {
  let manifest: Partial<Manifest> | null;
  try {
    manifest = JSON.parse(text) as Partial<Manifest> | null;
  } catch {
    throw new UnfitArchive('its manifest is damaged');
  }
  if (manifest?.format !== FORMAT)
    throw new UnfitArchive('another version of Pluto made it, in another format');
  if (manifest.files?.[DATABASE_FILE] === undefined) throw new UnfitArchive('it holds no database');
  return manifest as Manifest;
}

async function sumsOf(folder: string, files: string[]): Promise<Record<string, string>> {
  const sums: Record<string, string> = {};
  for (const name of files) {
    const sum = createHash('sha256');
    await pipeline(createReadStream(join(folder, name)), sum);
    sums[name] = sum.digest('hex');
  }
  return sums;
}

function refuse(cause: unknown): never {
  throw new UnfitArchive('it is damaged, incomplete or no archive', { cause });
}
