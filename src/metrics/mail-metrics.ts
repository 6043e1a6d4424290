import { Injectable } from '@nestjs/common';
import { Counter } from 'prom-client';
import { faultKinds } from '../mail/delivery-fault.js';
import { MailWorker } from '../mail/mail.worker.js';
import { MetricsRegistry } from './metrics.registry.js';

/** Counts what became of each attempt to send a mail. */
@Injectable()
export class MailMetrics {
  constructor({ registry }: MetricsRegistry, worker: MailWorker) {
    const attempts = new Counter({
      name: 'pluto_mail_attempts_total',
      help: 'Attempts to send a mail by result: "sent", or why not.',
      labelNames: ['result'],
      registers: [registry],
    });
    for (const result of ['sent', ...faultKinds]) attempts.inc({ result }, 0);
    worker.onAttempt((result) => attempts.inc({ result }));
  }
}
