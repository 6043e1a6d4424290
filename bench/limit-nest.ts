// A Nest application of one route that answers as Pluto did, in a process of its own: what its framework takes by itself.
import 'reflect-metadata';
import { Controller, Get, Header, Module, Req } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { AddressInfo } from 'node:net';
import type { Answers } from './limit-server.js';

let answers: Answers = {};

@Controller()
class AnyRoute {
  @Get('*')
  @Header('content-type', 'application/json; charset=utf-8')
  answer(@Req() { url }: { url: string }): string | undefined {
    return answers[url];
  }
}

@Module({ controllers: [AnyRoute] })
class OneRoute {}

process.on('message', (given: Answers) => {
  answers = given;
  void serve();
});
process.on('disconnect', () => process.exit());
process.on('SIGINT', () => undefined);

async function serve(): Promise<void> {
  const app = await NestFactory.create<NestFastifyApplication>(OneRoute, new FastifyAdapter(), {
    logger: false,
  });
  await app.listen(0, '127.0.0.1');
  process.send!(`http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`);
}
