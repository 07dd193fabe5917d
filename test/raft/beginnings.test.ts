/** What a server begins with, and what is left of it: bootstrap, recovery, configurations as entries of the log. */
import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/result.ts';
import { bootstrapEntry } from '../../src/raft/bootstrap.ts';

import { recoveredSnapshot } from '../../src/raft/recovery.ts';
import { configurationCodec, encodePeers } from '../../src/raft/wire/configuration-codec.ts';
import { configurationOf, diskWith, engineOn, entryOf, MemoryDisk, serverNamed, votersNamed } from './memory-disk.ts';

function codeOf(run: () => unknown): string | undefined {
  try {
    run();
  } catch (error) {
    return (error as { code?: string }).code;
  }
  return undefined;
}

describe('a cluster of one’s own', () => {
  it('is entry 1 of term 1, and all servers of it begin in that term', () => {
    const configuration = configurationOf(serverNamed('A'), serverNamed('B', 'nonvoter'));
    const { entry, hardState } = unwrap(bootstrapEntry(configuration, configurationCodec));
    expect(entry).toMatchObject({ index: 1, term: 1, type: 5 });
    expect(hardState).toEqual({ term: 1, votedFor: null });
    expect(unwrap(configurationCodec.decode(entry))).toEqual(configuration);
  });

  it('has a voter', () => {
    const configuration = configurationOf(serverNamed('A', 'nonvoter'));
    expect(codeOf(() => unwrap(bootstrapEntry(configuration, configurationCodec)))).toBe('raft-configuration-invalid');
  });
});

describe('configurations in entries', () => {
  it('of protocol versions 0 and 1 are lists of addresses, which are the ids too', () => {
    const data = encodePeers(['10.0.0.1:7000', '10.0.0.2:7000']);
    for (const type of [2, 3] as const) {
      const { servers } = unwrap(configurationCodec.decode({ ...entryOf(4, 2), type, data }));
      expect(servers).toEqual([
        { id: '10.0.0.1:7000', address: '10.0.0.1:7000', suffrage: 'voter' },
        { id: '10.0.0.2:7000', address: '10.0.0.2:7000', suffrage: 'voter' },
      ]);
    }
  });

  it('without data are refused', () => {
    for (const type of [3, 5] as const)
      expect(codeOf(() => unwrap(configurationCodec.decode({ ...entryOf(4, 2), type })))).toBe('undecodable');
  });
});

describe('what is left when a majority is lost', () => {
  const end = { lastIndex: 9, lastTerm: 4 };

  it('is a snapshot of the whole log with the servers that the operator names', () => {
    const configuration = votersNamed('A', 'B');
    expect(unwrap(recoveredSnapshot('A', end, configuration))).toEqual({
      ...end,
      configuration: { index: 9, configuration },
    });
  });

  it('elects and commits on the servers that are left', () => {
    const disk = diskWith({ configuration: votersNamed('A', 'B', 'C'), log: [1, 2, 2] });
    const meta = unwrap(recoveredSnapshot('A', { lastIndex: 4, lastTerm: 2 }, votersNamed('A')));
    disk.restore({ meta, applied: disk.entries });
    const engine = engineOn(disk, 'A');
    engine.step({ kind: 'started' }, 0);
    engine.step({ kind: 'persisted', persist: 1 }, 1);
    engine.step({ kind: 'persisted', persist: 2 }, 2);
    expect(engine.status()).toMatchObject({ role: 'leader', term: 3, commitIndex: 5 });
  });

  it.each([
    ['nothing', 'A', { lastIndex: 0, lastTerm: 0 }, votersNamed('A'), 'raft-nothing-to-recover'],
    ['a server that is not among them', 'C', end, votersNamed('A', 'B'), 'raft-unknown-server'],
    ['no voter', 'A', end, configurationOf(serverNamed('A', 'nonvoter')), 'raft-configuration-invalid'],
  ])('is refused for %s', (_what, self, logEnd, configuration, code) => {
    expect(codeOf(() => unwrap(recoveredSnapshot(self, logEnd, configuration)))).toBe(code);
  });
});

describe('a server as its disk left it', () => {
  it('knows the configurations behind its snapshot, and the snapshot’s', () => {
    const disk = new MemoryDisk();
    const configuration = { index: 3, configuration: votersNamed('A', 'B') };
    disk.restore({ meta: { lastIndex: 7, lastTerm: 2, configuration }, applied: [] });
    expect(engineOn(disk, 'A').status()).toMatchObject({
      configuration,
      committedConfiguration: configuration,
      commitIndex: 7,
      appliedIndex: 7,
      lastIndex: 7,
      lastTerm: 2,
      firstIndex: 8,
    });
  });

  it('cannot have another id than its address with protocol version 2', () => {
    const disk = diskWith({ configuration: votersNamed('A') });
    expect(() => engineOn(disk, 'A', { protocolVersion: 2 })).toThrow('the id of a server is its address');
  });

  it('cannot have a longer lease than its followers wait', () => {
    const disk = diskWith({ configuration: votersNamed('A') });
    expect(() => engineOn(disk, 'A', { timings: { leaseMs: 2000 } })).toThrow('before its followers elect another');
  });
});
