import { refuse, type Result } from '../../../src/base/result.ts';
import type { ConfigurationCodec } from '../../../src/raft/contract.ts';
import type { Configuration } from '../../../src/raft/messages.ts';
import { textFromUtf8, utf8 } from '../../../src/base/bytes.ts';

export const configurationCodec: ConfigurationCodec = {
  encode: (configuration) => utf8(JSON.stringify(configuration)),
  decode({ data }): Result<Configuration> {
    if (data === null) return refuse('undecodable', 'no data');
    return { ok: true, value: JSON.parse(textFromUtf8(data)) as Configuration };
  },
};
