// Runs before the compiler: what a deleted source was compiled to must not remain.
import { rmSync } from 'node:fs';

rmSync('dist', { recursive: true, force: true });
