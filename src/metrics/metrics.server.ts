import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Settings } from '../config/settings.js';
import { MetricsRegistry } from './metrics.registry.js';
import { listenForScrapes } from './scrape-server.js';

/** The separate port for metrics, open as long as the server handles requests. */
@Injectable()
export class MetricsServer implements OnApplicationShutdown {
  private server: Server | null = null;

  constructor(
    private readonly settings: Settings,
    private readonly metrics: MetricsRegistry,
  ) {}

  /** @returns the port @throws Error if it cannot listen */
  async listen(): Promise<number> {
    const { metricsPort: port = 0, metricsHost: host, metricsToken: token } = this.settings;
    this.server = await listenForScrapes({ port, host, token, text: () => this.metrics.text() });
    return (this.server.address() as AddressInfo).port;
  }

  onApplicationShutdown(): void {
    this.server?.close();
    this.server?.closeAllConnections();
  }
}
