import { useLayoutEffect, useRef } from 'react';
import { viewGroups, viewHash, viewTitles } from '../../state/view.ts';
import { useFacts } from './useFacts.ts';
import styles from './viewMenu.module.css';

/** Links to the views, in groups; the one on show is marked. */
export function ViewMenu() {
  const shown = useFacts((s) => s.view);
  const hidden = useFacts((s) => s.parts.hidden);
  const menu = useRef<HTMLElement>(null);
  // A narrow page has room for a part of the menu: the view on show is brought to its middle, and the page stays in place.
  useLayoutEffect(() => {
    const frame = menu.current?.getBoundingClientRect();
    const link = menu.current?.querySelector(`[href="${viewHash(shown)}"]`)?.getBoundingClientRect();
    if (frame && link) menu.current?.scrollBy({ left: link.left + link.width / 2 - frame.left - frame.width / 2 });
  }, [shown]);
  return (
    <nav className={styles.viewMenu} aria-label="Views" ref={menu}>
      {viewGroups.map(({ name, views }) => (
        <ul key={name} aria-label={name}>
          {views
            .filter((view) => !hidden.has(view) && (view !== 'picture' || clipscopeDraws || view === shown))
            .map((view) => (
              <li key={view}>
                <a href={viewHash(view)} aria-current={view === shown ? 'page' : undefined}>
                  {viewTitles[view]}
                </a>
              </li>
            ))}
        </ul>
      ))}
    </nav>
  );
}
