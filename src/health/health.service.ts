import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { PlutoError } from '../common/errors.js';

const PATIENCE_MS = 2000;

/** Says whether Pluto can do its work. */
@Injectable()
export class HealthService {
  constructor(private readonly dataSource: DataSource) {}

  /** @throws PlutoError serviceUnavailable when the database does not answer within two seconds */
  async assertDatabaseAnswers(): Promise<void> {
    const patience = new AbortController();
    try {
      await Promise.race([
        this.dataSource.query('SELECT 1'),
        sleep(PATIENCE_MS, undefined, { signal: patience.signal }).then(() =>
          Promise.reject(new Error('no answer in time')),
        ),
      ]);
    } catch (cause) {
      throw new PlutoError('serviceUnavailable', { cause });
    } finally {
      patience.abort();
    }
  }
}
