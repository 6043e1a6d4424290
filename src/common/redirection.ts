/** Returned by a controller instead of a body: the caller is sent elsewhere, with 302. */
export class Redirection {
  /** @param url not logged: it may hold a token */
  constructor(readonly url: string) {}
}
