import type { Page } from '@playwright/test';

/** Names that say all that there is to say. */
const plain = /^(Copy|Copy what happened|Close|Cancel|Dismiss|Try again|Keep|Show me|Download|Use)$/;

/**
 * Controls on show without a description, as role and name; those whose names say it all are none of them. Descriptions
 * follow the page a moment later.
 */
export async function undescribed(page: Page): Promise<string[]> {
  const found = await page
    .locator('button, select, input, textarea, [role="textbox"], nav[aria-label="Views"] a')
    .evaluateAll((elements) =>
      elements
        .filter((element) => element.checkVisibility())
        .map((element) => {
          const texts = (element.getAttribute('aria-describedby') ?? '')
            .split(' ')
            .map((id) => document.getElementById(id)?.textContent ?? '');
          const label = (element as HTMLInputElement).labels?.[0]?.textContent;
          const name = (element.ariaLabel ?? label ?? element.textContent ?? '').replace(/\s+/g, ' ').trim();
          const isDescribed = texts.join('').trim() !== '' || (element as HTMLElement).title !== '';
          return { name, kind: element.tagName.toLowerCase(), isDescribed };
        }),
    );
  return [
    ...new Set(
      found
        .filter(({ name, isDescribed }) => !isDescribed && !plain.test(name))
        .map(({ kind, name }) => `${kind} “${name.slice(0, 80)}”`),
    ),
  ];
}
