import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { NODE_FLAGS } from '../../src/node/node-flags.ts';

test('the launcher starts Node with the flags of a node', () => {
  const launcher = readFileSync(new URL('../../bin/hotledger.js', import.meta.url), 'utf8');
  expect(launcher.split('\n')[0]).toBe(`#!/usr/bin/env -S node ${NODE_FLAGS.join(' ')}`);
});
