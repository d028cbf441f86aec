import type { Profile, RowSpan } from '../engine/profile.ts';
import type { Facts, Task } from './facts.ts';
import { messageOf } from './notices.ts';
import type { Page } from './page.ts';
import { shownChunk } from './reading.ts';

export interface ProfilingActions {
  /** Times the steps of an encode of these rows, and shows them in place of the ones before. */
  profile(rows: RowSpan): Promise<void>;
}

/** Times the encoder on the chunk on show. */
export function profilingActions({ client, get, set }: Page): ProfilingActions {
  return {
    async profile(rows) {
      const chunk = shownChunk(get());
      if (!chunk) return;
      const running: Facts['profiled'] = { rows, task: { phase: 'running', progress: null } };
      set({ profiled: running });
      const put = (task: Task<Profile>) => get().profiled === running && set({ profiled: { rows, task } });
      try {
        put({ phase: 'done', result: await client.profile(chunk.pass, rows) });
      } catch (error) {
        put({ phase: 'failed', message: messageOf(error) });
      }
    },
  };
}
