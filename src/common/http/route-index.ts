import findMyWay, { type HTTPMethod, type HTTPVersion, type Instance } from 'find-my-way';

/** Knows which methods each registered path answers, to tell a wrong method from an unknown path. */
export class RouteIndex {
  private readonly router: Instance<HTTPVersion.V1> = findMyWay();
  private readonly methods = new Set<HTTPMethod>();

  add(methods: readonly string[], path: string): void {
    for (const method of methods as readonly HTTPMethod[]) {
      if (this.router.hasRoute(method, path)) continue;
      this.router.on(method, path, () => undefined);
      this.methods.add(method);
    }
  }

  /** @returns the methods that the path answers, for the `Allow` header (RFC 9110 section 10.2.1); none: no such path */
  allowedMethods(path: string): string[] {
    return [...this.methods].filter((method) => this.router.find(method, path) !== null).sort();
  }
}
