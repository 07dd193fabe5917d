import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { NODE_ENVIRONMENT, NODE_FLAGS } from '../../src/node/node-flags.ts';

test('the launcher starts Node with the environment and the flags of a node', () => {
  const launcher = readFileSync(new URL('../../bin/hotledger.js', import.meta.url), 'utf8');
  const environment = Object.entries(NODE_ENVIRONMENT).map(([name, value]) => `${name}=${value}`);
  const line = ['#!/usr/bin/env -S', ...environment, 'node', ...NODE_FLAGS].join(' ');
  expect(launcher.split('\n')[0]).toBe(line);
});
