import { listenForSignals } from './server/stop-signals.js';

// Whatever Pluto writes is for its own user only, also in a folder that others may enter.
process.umask(0o077);
listenForSignals();

// Loaded only now: reading all modules takes a second, in which no signal would be heard.
const { start } = await import('./server/start.js');
await start();
