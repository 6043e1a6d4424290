import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { generate, missingCommands, missingGenerator, run } from './tools.mjs';

/** By openapi-generator on java.net.http, built by Maven. */
export const java = {
  missing: () => missingCommands('javac', 'mvn') ?? missingGenerator(),
  build(folder) {
    generate(folder, 'java', 'library=native');
    copyFileSync(join(import.meta.dirname, 'java/Journey.java'), join(folder, 'src/main/java/Journey.java'));
    run(folder, 'mvn', '-q', '-B', 'compile', '-Dmaven.test.skip=true');
    run(folder, 'mvn', '-q', '-B', 'dependency:build-classpath', '-Dmdep.outputFile=classpath');
    const libraries = readFileSync(join(folder, 'classpath'), 'utf8').trim();
    return ['java', '-cp', `${join(folder, 'target/classes')}:${libraries}`, 'Journey'];
  },
};
