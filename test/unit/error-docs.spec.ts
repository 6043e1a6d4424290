import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorCatalogue } from '../../src/common/errors.js';
import { packageDirectory } from '../../src/common/package-directory.js';

const ROW = /^\| (\d{4}) +\| (\d{3}) +\| (.*?) +\| (.*?) +\|$/gm;

describe('docs/errors.md', () => {
  const text = readFileSync(join(packageDirectory, 'docs/errors.md'), 'utf8');
  const rows = [...text.matchAll(ROW)].map(([, code, status, message, advice]) => ({
    row: { code: Number(code), status: Number(status), message },
    advice,
  }));

  it('lists every code with its status and message, in order', () => {
    expect(rows.map(({ row }) => row)).toEqual(Object.values(errorCatalogue));
  });

  it('says of every code what a client does', () => {
    expect(rows.filter(({ advice = '' }) => !/^[A-Z].*\.$/.test(advice))).toEqual([]);
  });
});
