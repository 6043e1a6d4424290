import { phones, simulatePhones, wastefulPhones } from './phones.js';
import { randomNumbers } from './session-model.js';
import { simulateTheft, thefts } from './thieves.js';

// None in 30,000 means less than one in 10,000, at a confidence of 95 %.
const years = Number(process.argv[2] ?? 30_000);
const trials = Number(process.argv[3] ?? 20_000);

/** Prints the table of docs/tokens.md. */
function main(): void {
  const random = randomNumbers(1);
  console.log('| phone | refreshes a year | late replays | signed out per 10,000 session-years |');
  console.log('| --- | --- | --- | --- |');
  for (const phone of [...phones, ...wastefulPhones]) {
    const { refreshes, lateGenerations, signedOut } = simulatePhones(phone, years, random);
    const cells = [
      phone.name,
      Math.round(refreshes / years),
      `${((100 * lateGenerations) / refreshes).toFixed(1)} %`,
      signedOut === 0 ? `none in ${years}` : ((signedOut / years) * 10_000).toFixed(1),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
  console.log(
    '\n| theft | noticed | within 6 refreshes of a side | refreshes: median, 95 %, 99 % | days: median |',
  );
  console.log('| --- | --- | --- | --- | --- |');
  for (const theft of thefts) {
    const all = Array.from({ length: trials }, () => simulateTheft(theft, random));
    const noticed = all.filter(({ days }) => days !== null);
    const refreshes = noticed.map((one) => one.refreshes).sort((a, b) => a - b);
    const days = noticed.map((one) => one.days as number).sort((a, b) => a - b);
    const at = (list: number[], share: number) => list[Math.floor(list.length * share)];
    const cells = [
      theft.name,
      `${((100 * noticed.length) / trials).toFixed(1)} %`,
      `${((100 * refreshes.filter((count) => count <= 6).length) / trials).toFixed(1)} %`,
      [0.5, 0.95, 0.99].map((share) => at(refreshes, share) ?? '–').join(', '),
      at(days, 0.5)?.toFixed(1) ?? '–',
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
}

main();
