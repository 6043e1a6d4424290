import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '../..');
export const document = join(root, 'docs/openapi.json');

/** Runs a command to its end. @throws Error with its output if it fails */
export function run(cwd, command, ...parameters) {
  const { status, error, stdout, stderr } = spawnSync(command, parameters, { cwd, encoding: 'utf8' });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${parameters.join(' ')} failed\n${stdout}${stderr}`);
}

/** @returns null if all are installed, else what is missing */
export function missingCommands(...commands) {
  const missing = commands.filter((one) => spawnSync('sh', ['-c', `command -v ${one}`]).status !== 0);
  return missing.length > 0 ? `${missing.join(' and ')} is not installed` : null;
}

/** OPENAPI_GENERATOR is the path of openapi-generator-cli's jar. */
export function missingGenerator() {
  const jar = process.env.OPENAPI_GENERATOR ?? '';
  return missingCommands('java') ?? (existsSync(jar) ? null : 'OPENAPI_GENERATOR is not set to the jar');
}

/** Generates a client with openapi-generator. */
export function generate(folder, generator, properties) {
  const jar = process.env.OPENAPI_GENERATOR;
  const options = ['-g', generator, '-i', document, '-o', folder, '--additional-properties', properties];
  run(folder, 'java', '-jar', jar, 'generate', ...options);
}
