/** One request, as both generators of load send it. */
export interface Call {
  method: 'GET' | 'POST';
  path: string;
  headers: Record<string, string>;
  body?: string;
  /** Told the answer's body, when it was a success. */
  onAnswer?: (body: string) => void;
}

/** Requests of one kind, without end. */
export type Traffic =
  /** Made beforehand, so that sending costs little; each is sent again when its turn comes. */
  | { kind: 'fixed'; calls: Call[] }
  | {
      kind: 'made';
      next: () => Call;
      /** Before each measurement: what was under way at the end of the last one will not be answered. */
      begin?: () => void;
    };

export function get(path: string, token?: string): Call {
  return {
    method: 'GET',
    path,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  };
}

export function post(path: string, body: object): Call {
  return {
    method: 'POST',
    path,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  };
}

const places = new WeakMap<Call[], number>();

/** Where in a list of fixed calls the next measurement goes on: those sent last are fresh in the server's memory. */
export function placeIn(calls: Call[]): number {
  return places.get(calls) ?? 0;
}

export function advance(calls: Call[], sent: number): void {
  places.set(calls, placeIn(calls) + sent);
}
