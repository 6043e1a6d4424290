import { listenForSignals } from './stop-signals.js';

// Whatever Pluto writes is for its own user only, also in a folder that others may enter.
process.umask(0o077);
listenForSignals();

// Loaded only now: reading all modules takes a second, in which no signal would be heard.
const { start } = await import('./start.js');
await start();
