/** Says which OAuth clients may act; who registers them is above this module and provides it. */
export abstract class ClientGate {
  abstract isApproved(clientKey: string): Promise<boolean>;
}
