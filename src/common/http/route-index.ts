import findMyWay, { type HTTPMethod, type HTTPVersion, type Instance } from 'find-my-way';

export interface Route {
  method: string;
  /** As registered: `/v1/user/info/:userId/public`, `/avatars/*`. */
  path: string;
}

/** The methods of every registered path, to distinguish a wrong method from an unknown path. */
export class RouteIndex {
  private readonly router: Instance<HTTPVersion.V1> = findMyWay();
  private readonly methods = new Set<HTTPMethod>();
  private readonly routes: Route[] = [];

  add(methods: readonly string[], path: string): void {
    for (const method of methods as readonly HTTPMethod[]) {
      if (this.router.hasRoute(method, path)) continue;
      this.router.on(method, path, () => undefined);
      this.methods.add(method);
      this.routes.push({ method, path });
    }
  }

  /** Every registered route, with the HEAD routes that Fastify adds to those with GET. */
  list(): readonly Route[] {
    return this.routes;
  }

  /**
   * @returns the methods of the path, for the `Allow` header (RFC 9110 section 10.2.1); empty for an unknown
   * path
   */
  allowedMethods(path: string): string[] {
    return [...this.methods].filter((method) => this.router.find(method, path) !== null).sort();
  }
}
