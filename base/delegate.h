// Delegate: a call to a member function of an object it does not own. Two words, never allocates.
#pragma once

namespace kite {

template <class Signature>
class Delegate;

template <class R, class... Args>
class Delegate<R(Args...)> {
 public:
  Delegate() = default;

  // Delegate<void(bool)>::to<&Pic::set_irq>(pic)
  template <auto Member, class Object>
  static Delegate to(Object& object) {
    Delegate delegate;
    delegate.object_ = &object;
    delegate.call_ = [](void* target, Args... args) -> R {
      return (static_cast<Object*>(target)->*Member)(static_cast<Args>(args)...);
    };
    return delegate;
  }

  // Calls `callable`, which must outlive the delegate.
  template <class Callable>
  static Delegate to_callable(Callable& callable) {
    Delegate delegate;
    delegate.object_ = &callable;
    delegate.call_ = [](void* target, Args... args) -> R {
      return (*static_cast<Callable*>(target))(static_cast<Args>(args)...);
    };
    return delegate;
  }

  explicit operator bool() const { return call_ != nullptr; }
  R operator()(Args... args) const { return call_(object_, static_cast<Args>(args)...); }

 private:
  void* object_ = nullptr;
  R (*call_)(void*, Args...) = nullptr;
};

}  // namespace kite
