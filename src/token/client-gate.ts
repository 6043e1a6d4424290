/** Decides which OAuth clients may act; implemented by the oauth module, which depends on this one. */
export abstract class ClientGate {
  /** @param issuedAt `iat` of the client's token, in seconds since the epoch */
  abstract mayAct(clientKey: string, issuedAt: number): Promise<boolean>;
}
