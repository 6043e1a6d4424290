/** Says which OAuth clients may act; who registers them is above this module and provides it. */
export abstract class ClientGate {
  /** @param issuedAt of the token that it shows, in seconds since the epoch */
  abstract mayAct(clientKey: string, issuedAt: number): Promise<boolean>;
}
