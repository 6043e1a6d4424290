import type { Answer } from './client.js';

/** Asserts a success and its complete body. */
export function expectOk(answer: Answer, body: unknown = expect.anything()): void {
  expect({ status: answer.status, json: answer.json }).toEqual({ status: 200, json: { status: 'ok', body } });
}

/** Asserts a failure: HTTP status, code, and the envelope with nothing else in it. */
export function expectFailure(
  answer: Answer,
  status: number,
  code: number,
  message: unknown = expect.any(String),
): void {
  expect({ status: answer.status, json: answer.json }).toEqual({
    status,
    json: { status: 'error', error: { code, message } },
  });
}

/** Asserts a page by its status and a text on it. */
export function expectPage(answer: Answer, status: number, text: string): void {
  expect([answer.status, answer.headers.get('content-type')]).toEqual([status, 'text/html; charset=utf-8']);
  expect(answer.text).toContain(text);
}

/** Counts responses by code; 0 is success. */
export function countByCode(answers: Answer[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { code } of answers) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
}
