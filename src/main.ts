import { listenForSignals } from './server/stop-signals.js';

// Files of Pluto are readable only by its own user, even in a shared folder.
process.umask(0o077);
listenForSignals();

// Imported dynamically: signals that arrive while all modules load must be handled.
const { start } = await import('./server/start.js');
await start();
