//! What an endpoint takes from a request. An extractor also writes itself into the OpenAPI
//! document, so that the contract is complete without saying anything twice.

use salvo::oapi::{Components, Operation};
use salvo::{Depot, Request};

use crate::problem::Problem;

/// Something an endpoint takes from a request. `arg` is the name of the endpoint's parameter.
pub trait Take: Sized + Send {
    /// Takes it from a request.
    ///
    /// # Errors
    /// The problem that is the answer, if the request does not carry it.
    fn take(
        req: &mut Request,
        depot: &mut Depot,
        arg: &str,
    ) -> impl Future<Output = Result<Self, Problem>> + Send;

    /// Writes it into the document: parameter, header or body, and the problems it may cause.
    fn describe(components: &mut Components, operation: &mut Operation, arg: &str);
}

/// Implements the framework's two traits for a type that is [`Take`].
macro_rules! extractor {
    ($type:ident $(< $generic:ident : $($bound:path),+ >)?) => {
        impl<'ex $(, $generic: $($bound +)+ 'static)?> salvo::Extractible<'ex> for $type $(<$generic>)? {
            fn metadata() -> &'static salvo::extract::Metadata {
                static METADATA: salvo::extract::Metadata = salvo::extract::Metadata::new(stringify!($type));
                &METADATA
            }

            #[allow(refining_impl_trait, reason = "the error is always a problem")]
            async fn extract(
                req: &'ex mut salvo::Request,
                depot: &'ex mut salvo::Depot,
            ) -> Result<Self, $crate::problem::Problem> {
                <Self as $crate::extract::Take>::take(req, depot, "").await
            }

            #[allow(refining_impl_trait, reason = "the error is always a problem")]
            async fn extract_with_arg(
                req: &'ex mut salvo::Request,
                depot: &'ex mut salvo::Depot,
                arg: &str,
            ) -> Result<Self, $crate::problem::Problem> {
                <Self as $crate::extract::Take>::take(req, depot, arg).await
            }
        }

        impl $(<$generic: $($bound +)+ 'static>)? salvo::oapi::EndpointArgRegister for $type $(<$generic>)? {
            fn register(
                components: &mut salvo::oapi::Components,
                operation: &mut salvo::oapi::Operation,
                arg: &str,
            ) {
                <Self as $crate::extract::Take>::describe(components, operation, arg);
            }
        }
    };
}
pub(crate) use extractor;
