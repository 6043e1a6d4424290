import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { generate, missingCommands, missingGenerator, run } from './tools.mjs';

/** By openapi-generator on OkHttp, as Android apps use it, built by Maven. */
export const kotlin = {
  missing: () => missingCommands('mvn') ?? missingGenerator(),
  build(folder) {
    generate(folder, 'kotlin', 'packageName=pluto,library=jvm-okhttp4,serializationLibrary=gson');
    copyFileSync(join(import.meta.dirname, 'kotlin/pom.xml'), join(folder, 'pom.xml'));
    copyFileSync(join(import.meta.dirname, 'kotlin/Journey.kt'), join(folder, 'src/main/kotlin/Journey.kt'));
    run(folder, 'mvn', '-q', '-B', 'compile');
    run(folder, 'mvn', '-q', '-B', 'dependency:build-classpath', '-Dmdep.outputFile=classpath');
    const libraries = readFileSync(join(folder, 'classpath'), 'utf8').trim();
    return ['java', '-cp', `${join(folder, 'target/classes')}:${libraries}`, 'JourneyKt'];
  },
};
