import { once } from 'node:events';
import { createServer, request as forward, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A reverse proxy that serves another server under a path, which it removes, and nothing beside it. */
export class PathProxy {
  target = '';
  private readonly server: Server = createServer((request, response) => {
    const { method, headers, url = '' } = request;
    if (!url.startsWith(`${this.path}/`)) return void response.writeHead(404).end('not below the path');
    const { hostname, port } = new URL(this.target);
    const path = url.slice(this.path.length);
    const onward = forward({ hostname, port, method, headers, path, agent: false }, (answer) => {
      response.writeHead(answer.statusCode!, answer.rawHeaders);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });

  private constructor(readonly path: string) {}

  /** @param path such as `/pluto` */
  static async start(path: string): Promise<PathProxy> {
    const proxy = new PathProxy(path);
    proxy.server.listen(0, '127.0.0.1');
    await once(proxy.server, 'listening');
    return proxy;
  }

  /** What browsers use. */
  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}
