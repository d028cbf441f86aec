import type { Facts } from './facts.ts';
import type { Page } from './page.ts';

export interface NoticeActions {
  dismiss(notice: number): void;
}

/** The sentence of an error; the text of anything else that was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Shows messages on the page, and takes them away. */
export function noticeActions({
  get,
  set,
}: {
  get(): Pick<Facts, 'notices'>;
  set(facts: Pick<Facts, 'notices'>): void;
}): NoticeActions & Pick<Page, 'notify'> {
  let nextId = 0;
  return {
    notify(message, offer) {
      const others = get().notices.filter((notice) => notice.message !== message);
      set({ notices: [...others, { id: nextId++, message, ...(offer && { offer }) }] });
    },
    dismiss: (notice) => set({ notices: get().notices.filter(({ id }) => id !== notice) }),
  };
}
