export function commitFaults(message: string): string[];
