export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

interface Family {
  type: string;
  help: string;
  samples: Sample[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;

/** Prometheus's text format, version 0.0.4, read strictly: what it does not allow throws. */
export class Exposition {
  readonly families = new Map<string, Family>();

  constructor(readonly text: string) {
    if (!text.endsWith('\n')) throw new Error('the last line is not ended');
    for (const line of text.split('\n')) if (line !== '') this.readLine(line);
    for (const { name, labels } of this.samples) this.assertOnce(name, labels);
  }

  get samples(): Sample[] {
    return [...this.families.values()].flatMap((family) => family.samples);
  }

  /** The one sample of that name with at least those labels; undefined if there is none. */
  find(name: string, labels: Record<string, string> = {}): number | undefined {
    const found = this.samples.filter((one) => one.name === name && matches(one.labels, labels));
    if (found.length > 1) throw new Error(`${name}${JSON.stringify(labels)} is not one sample`);
    return found[0]?.value;
  }

  /** @throws Error when there is no such sample */
  get(name: string, labels: Record<string, string> = {}): number {
    const value = this.find(name, labels);
    if (value === undefined) throw new Error(`${name}${JSON.stringify(labels)} is not told`);
    return value;
  }

  /** The sum of all samples of that name with at least those labels. */
  sum(name: string, labels: Record<string, string> = {}): number {
    return this.samples
      .filter((one) => one.name === name && matches(one.labels, labels))
      .reduce((sum, { value }) => sum + value, 0);
  }

  private readLine(line: string): void {
    const [, word, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (word === 'HELP') this.begin(name, rest);
    else if (word === 'TYPE') this.family(name).type = rest;
    else this.addSample(line);
  }

  private begin(name: string, help: string): void {
    if (!NAME.test(name) || this.families.has(name)) throw new Error(`a second or bad family: ${name}`);
    this.families.set(name, { type: '', help, samples: [] });
  }

  private addSample(line: string): void {
    const [, name, labels, value] = SAMPLE.exec(line) ?? [];
    if (name === undefined || value === undefined) throw new Error(`not a sample: ${line}`);
    const family = this.families.get(name) ?? this.histogramOf(name);
    const number = value === '+Inf' ? Infinity : Number(value);
    // As Go reads it, "Nan" is one too.
    if (!/^nan$/i.test(value) && Number.isNaN(number)) throw new Error(`not a number: ${line}`);
    family.samples.push({ name, labels: readLabels(labels ?? ''), value: number });
  }

  private histogramOf(name: string): Family {
    const family = this.family(name.replace(/_(bucket|sum|count)$/, ''));
    if (family.type !== 'histogram' && family.type !== 'summary') throw new Error(`${name} has no family`);
    return family;
  }

  private family(name: string): Family {
    const family = this.families.get(name);
    if (!family) throw new Error(`${name} has no HELP before it`);
    return family;
  }

  private assertOnce(name: string, labels: Record<string, string>): void {
    const same = this.samples.filter(
      (one) => one.name === name && matches(one.labels, labels) && matches(labels, one.labels),
    );
    if (same.length !== 1) throw new Error(`${name}${JSON.stringify(labels)} is told ${same.length} times`);
  }
}

function readLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const match = LABEL.exec(text);
    if (!match) throw new Error(`not labels: ${text}`);
    labels[match[1]!] = match[2]!.replace(/\\(.)/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped));
  }
  return labels;
}

function matches(labels: Record<string, string>, wanted: Record<string, string>): boolean {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}
