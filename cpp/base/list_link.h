// A link of an intrusive circular list; the list's head is a link, too.
//
// What: O(1) insert and remove without allocation.
// Thread: the list's.
// Ownership: none; an element removes itself before it is destroyed.
// Failure: none.
#pragma once

namespace httpuv::net {

struct ListLink {
  ListLink() : prev(this), next(this) {}
  ListLink(const ListLink&) = delete;
  ListLink& operator=(const ListLink&) = delete;

  // A head: has no elements. An element: is in no list.
  bool empty() const { return next == this; }

  void append(ListLink& element) {
    element.prev = prev;
    element.next = this;
    prev->next = &element;
    prev = &element;
  }
  void remove() {
    prev->next = next;
    next->prev = prev;
    prev = next = this;
  }
  // Moves all elements of `other` to the end of this list.
  void take_all(ListLink& other) {
    if (other.empty()) return;
    other.next->prev = prev;
    prev->next = other.next;
    other.prev->next = this;
    prev = other.prev;
    other.prev = other.next = &other;
  }

  ListLink* prev;
  ListLink* next;
};

}  // namespace httpuv::net
