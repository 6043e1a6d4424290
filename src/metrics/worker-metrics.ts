import type { MetricsRegistry, MetricValues } from './metrics.registry.js';

/** What the primary asks a worker for. */
export interface ValuesRequest {
  type: 'pluto:metrics?';
  id: number;
}

/** What the worker answers. */
export interface ValuesAnswer {
  type: 'pluto:metrics';
  id: number;
  values: MetricValues[];
}

/** Hands the values of this worker to the primary whenever it asks. */
export function answerPrimary(metrics: MetricsRegistry): void {
  process.on('message', (message: unknown) => {
    if (isRequest(message)) void answer(metrics, message.id);
  });
}

async function answer(metrics: MetricsRegistry, id: number): Promise<void> {
  const values = await metrics.values();
  const message: ValuesAnswer = { type: 'pluto:metrics', id, values };
  // A primary that is gone meanwhile needs no answer.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

function isRequest(message: unknown): message is ValuesRequest {
  return (message as ValuesRequest | null)?.type === 'pluto:metrics?';
}

export function isAnswer(message: unknown): message is ValuesAnswer {
  return (message as ValuesAnswer | null)?.type === 'pluto:metrics';
}
