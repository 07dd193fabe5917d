/** What a server goes through that joins a cluster of hashicorp/raft, as short as it can be told. */
import { describe, test } from 'vitest';
import { needsGo } from './go-build.ts';
import { joins } from './joining.ts';
import { leadsGo } from './leading.ts';
import { goNewcomer, ourNewcomer } from './newcomer.ts';
import { electsAndIsElected } from './voting.ts';

describe.runIf(needsGo()).each([ourNewcomer, goNewcomer])('$what, among Go servers', (newcomer) => {
  test('joins by snapshot and log, is promoted, and is then needed by the quorum', () => joins(newcomer));
  test('is handed leadership, leads, ships a snapshot to a blank server, hands back, and is removed', () =>
    leadsGo(newcomer));
  test('wins an election that only it can win, and elects another', () => electsAndIsElected(newcomer));
});
