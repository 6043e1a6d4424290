// A bare Fastify server that answers as Pluto did, in a process of its own: what the framework alone can do.
import fastify from 'fastify';

/** What it is told once, by its parent: a text for each path. */
export type Answers = Record<string, string>;

process.on('message', (answers: Answers) => void serve(answers));
process.on('disconnect', () => process.exit());
// Ctrl-C reaches it as well; its parent ends it when all else is ended.
process.on('SIGINT', () => undefined);

async function serve(answers: Answers): Promise<void> {
  const server = fastify();
  for (const [path, text] of Object.entries(answers)) {
    server.get(path, (_request, reply) => reply.type('application/json; charset=utf-8').send(text));
  }
  process.send!(await server.listen({ host: '127.0.0.1', port: 0 }));
}
