/**
 * CPU time of this process, including the server in it, for some work; other load on the machine does not
 * count.
 */
export async function cpuMsOf(work: () => Promise<unknown>): Promise<number> {
  const begun = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(begun);
  return (user + system) / 1000;
}
